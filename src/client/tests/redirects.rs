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
