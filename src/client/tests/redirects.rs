//! Redirects.

use super::*;

#[test]
fn redirects_are_followed_on_the_same_connection_where_possible() {
    let setup = Setup::new(|_| {});
    let moved = "HTTP/1.1 302 Found\r\nLocation: /there?x\r\nContent-Length: 4\r\n\r\ngone";
    let server = setup.serve(&[&[moved, HELLO]]);
    assert_eq!(taken(setup.client.post(URL, "form")).unwrap().1, "hello");
    let second = &server.join().unwrap()[1];
    assert!(second.starts_with("formGET /there?x HTTP/1.1\r\n"), "behind the first one's body: {second}");
    assert!(!second.contains("Content-Length"), "{second}");
    assert_eq!(setup.steps()[3..6], ["redirect", "kept", "reused"]);
}

#[test]
fn a_circle_is_left_at_the_bound() {
    let setup = Setup::new(|config| config.max_redirects = 2);
    let circle = "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let server = setup.serve(&[&[circle, circle, circle]]);
    assert!(matches!(setup.client.get(URL), Err(Error::TooManyRedirects { limit: 2 })));
    server.join().unwrap();
}

#[test]
fn with_a_bound_of_none_they_are_handed_out() {
    let setup = Setup::new(|config| config.max_redirects = 0);
    let server = setup.serve(&[&["HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"]]);
    assert_eq!(taken(setup.client.get(URL)).unwrap().0, 301);
    server.join().unwrap();
}

#[test]
fn a_redirect_to_https_fails_as_what_it_is() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&["HTTP/1.1 301 Moved\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n"]]);
    assert!(matches!(setup.client.get(URL), Err(Error::Scheme { scheme }) if scheme == "https"));
    server.join().unwrap();
}

#[test]
fn a_circle_of_several_places_is_left_as_well() {
    let setup = Setup::new(|config| config.max_redirects = 5);
    let there = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    let back = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let server = setup.serve(&[&[there, back, there, back, there, back]]);
    let error = setup.client.get(URL).unwrap_err();
    assert!(matches!(error, Error::TooManyRedirects { limit: 5 }), "{error}");
    assert_eq!(server.join().unwrap().len(), 6, "the first request, and five that followed");
}

#[test]
fn a_redirect_is_followed_whatever_becomes_of_its_body() {
    for broken in [
        "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 100\r\n\r\ncut",
        "HTTP/1.1 302 Found\r\nLocation: /there\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\nup to the close",
    ] {
        let setup = Setup::new(|_| {});
        let server = setup.serve(&[&[broken], &[HELLO]]);
        assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello", "{broken}");
        server.join().unwrap();
    }
}

#[test]
fn a_redirect_whose_body_does_not_come_is_not_waited_for() {
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        read_head(&mut first);
        first.write_all(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 9\r\n\r\n").unwrap();
        let (mut second, _) = listener.accept().unwrap();
        read_head(&mut second);
        second.write_all(HELLO.as_bytes()).unwrap();
        drop(first);
    });
    assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello");
    server.join().unwrap();
}
