//! Static files: what is served, as what, to whom; and what is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::serve::Files;

/// A directory of its own for each test, beside one that must not be reached.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("longwire-files-{}-{number}", std::process::id()));
        let tree = Tree(base);
        fs::create_dir_all(tree.root().join("sub/inner")).unwrap();
        fs::create_dir(tree.root().join("bare")).unwrap();
        tree.write("hello.txt", "hello, files\n");
        tree.write("index.html", "<p>index");
        tree.write("sub/index.html", "<p>sub");
        tree.write("bare/one & <two>.txt", "1");
        tree.write("bare/.hidden", "2");
        tree.write("a b%41.txt", "odd name");
        tree.write("empty", "");
        fs::write(tree.0.join("secret"), "secret").unwrap();
        tree
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root().join(path), content).unwrap();
    }

    fn world(&self) -> World {
        let files = Files::open(self.root()).unwrap();
        World::with(|_| {}, |server| server.builtin("/about").files(files))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn get(world: &World, target: &str, more: &[(&str, &str)]) -> Answer {
    let fields: String = more.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    world.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

#[test]
fn files_come_with_their_types() {
    let tree = Tree::new();
    for (name, kind) in [
        ("x.css", "text/css; charset=utf-8"),
        ("x.js", "text/javascript; charset=utf-8"),
        ("x.json", "application/json; charset=utf-8"),
        ("x.png", "image/png"),
        ("x.svg", "image/svg+xml"),
        ("x.unknown-kind", "application/octet-stream"),
    ] {
        tree.write(name, "x");
        let answer = get(&tree.world(), &format!("/{name}"), &[]);
        assert_eq!((answer.status(), answer.field("content-type")), (200, Some(kind)), "{name}");
    }
    let world = tree.world();
    let plain = get(&world, "/hello.txt", &[]);
    assert_eq!((plain.text(), plain.field("cache-control")), ("hello, files\n", Some("no-cache")));
    assert_eq!(get(&world, "/hello.txt?query=1", &[]).text(), "hello, files\n");
    assert_eq!(get(&world, "/a%20b%2541.txt", &[]).text(), "odd name");
    assert_eq!(get(&world, "/empty", &[]).body, b"");
    assert_eq!(
        get(&world, "/about/healthz", &[]).text(),
        "ok\n",
        "the built-in routes are behind their prefix"
    );
    assert_eq!(get(&world, "/healthz", &[]).status(), 404);
}

#[test]
fn directories_are_their_index() {
    let tree = Tree::new();
    let world = tree.world();
    assert_eq!(get(&world, "/", &[]).text(), "<p>index");
    assert_eq!(get(&world, "/sub/", &[]).text(), "<p>sub");
    let moved = get(&world, "/sub?x=1", &[]);
    assert_eq!((moved.status(), moved.field("location")), (301, Some("/sub/?x=1")));
    assert_eq!(get(&world, "//sub", &[]).field("location"), Some("/sub/"), "no host is made of a name");
    assert_eq!(get(&world, "/hello.txt/", &[]).status(), 404);
    assert_eq!(get(&world, "/bare/", &[]).status(), 404, "not listed unless asked for");
}

#[test]
fn a_listing_on_request_shows_names_and_hides_dots() {
    let tree = Tree::new();
    fs::create_dir(tree.root().join("bare/z")).unwrap();
    let files = Files::open(tree.root()).unwrap().listing(true);
    let world = World::with(|_| {}, |server| server.builtin("/about").files(files));
    let page = get(&world, "/bare/", &[]);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    assert!(text.contains("<a href=\"./one%20%26%20%3Ctwo%3E.txt\">one &amp; &lt;two&gt;.txt</a>"), "{text}");
    assert!(text.contains("<a href=\"./z/\">z/</a>") && text.contains("<a href=\"../\">../</a>"), "{text}");
    assert!(!text.contains("hidden"));
    assert_eq!(get(&world, "/", &[]).text(), "<p>index", "an index goes before the list");
}

#[test]
fn nothing_leads_out_of_the_root() {
    let tree = Tree::new();
    symlink("../secret", tree.root().join("relative")).unwrap();
    symlink(tree.0.join("secret"), tree.root().join("absolute")).unwrap();
    symlink("..", tree.root().join("up")).unwrap();
    symlink("/", tree.root().join("system")).unwrap();
    symlink("hello.txt", tree.root().join("inside")).unwrap();
    symlink("../hello.txt", tree.root().join("sub/inside")).unwrap();
    let world = tree.world();
    for target in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/sub/..%5c..%5csecret",
        "/relative",
        "/absolute",
        "/up/secret",
        "/system/etc/passwd",
        "/system",
        "/hello.txt%00",
    ] {
        let answer = get(&world, target, &[]);
        assert_eq!(answer.status(), 404, "{target}: {answer:?}");
    }
    assert_eq!(get(&world, "/%", &[]).status(), 400);
    assert_eq!(get(&world, "/inside", &[]).text(), "hello, files\n", "a link within the root is followed");
    assert_eq!(get(&world, "/sub/inside", &[]).text(), "hello, files\n");
}

#[test]
fn what_is_no_file_is_not_opened() {
    let tree = Tree::new();
    let pipe = tree.root().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let world = tree.world();
    assert_eq!(get(&world, "/pipe", &[]).status(), 404, "and nobody waits for a writer");
    assert_eq!(get(&world, &format!("/{}", "x".repeat(300)), &[]).status(), 404);
    assert_eq!(get(&world, "/hello.txt/x", &[]).status(), 404);
}

#[test]
fn other_methods_are_told_what_there_is() {
    let tree = Tree::new();
    let world = tree.world();
    let ask = |method: &str| {
        let answer = world.ask(&format!("{method} /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n"));
        (answer.status(), answer.field("allow").map(str::to_owned))
    };
    let allowed = || Some("GET, HEAD, OPTIONS".to_owned());
    assert_eq!(ask("DELETE"), (405, allowed()));
    assert_eq!(ask("OPTIONS"), (204, allowed()));
    assert_eq!(ask("BREW"), (501, None));
    let mut client = world.connect();
    client.send("HEAD /hello.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().contains("Content-Length: 13\r\n"));
    assert_eq!(client.answer().text(), "hello, files\n", "HEAD had no body");
    let all = world.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((all.status(), all.field("allow")), (204, None), "routes and files allow different ones");
}

#[test]
fn ranges_of_a_file() {
    let tree = Tree::new();
    tree.write("data", pattern(300_000));
    let world = tree.world();
    let all = pattern(300_000);
    let part = get(&world, "/data", &[("range", "bytes=70000-270000")]);
    assert_eq!((part.status(), part.field("content-range")), (206, Some("bytes 70000-270000/300000")));
    assert!(part.body == all[70_000..=270_000]);
    let tail = get(&world, "/data", &[("range", "bytes=-7")]);
    assert!(tail.body == all[299_993..]);
    let none = get(&world, "/data", &[("range", "bytes=300000-")]);
    assert_eq!((none.status(), none.field("content-range")), (416, Some("bytes */300000")));
    let several = get(&world, "/data", &[("range", "bytes=200000-200009, 5-9, 100000-180000")]);
    assert_eq!(several.status(), 206);
    for range in [200_000..200_010, 5..10, 100_000..180_001] {
        let position = several.body.windows(range.len()).position(|window| window == &all[range.clone()]);
        assert!(position.is_some(), "{range:?}");
    }
}

#[test]
fn conditions_on_a_file() {
    let tree = Tree::new();
    let file = fs::File::options().write(true).open(tree.root().join("hello.txt")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    let world = tree.world();
    let first = get(&world, "/hello.txt", &[]);
    let etag = first.field("etag").expect("a tag").to_owned();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(first.field("last-modified"), Some(date));
    let unchanged = get(&world, "/hello.txt", &[("if-none-match", &etag)]);
    assert_eq!((unchanged.status(), &unchanged.body[..]), (304, &b""[..]));
    assert_eq!((unchanged.field("etag"), unchanged.field("content-type")), (Some(&*etag), None));
    let status = |fields: &[(&str, &str)]| get(&world, "/hello.txt", fields).status();
    assert_eq!(status(&[("if-modified-since", date)]), 304);
    assert_eq!(status(&[("if-match", "\"other\"")]), 412);
    assert_eq!(status(&[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT")]), 412);
    let range = ("range", "bytes=0-4");
    assert_eq!(status(&[range, ("if-range", &etag)]), 206);
    assert_eq!(status(&[range, ("if-range", date)]), 206);
    assert_eq!(status(&[range, ("if-range", "\"other\"")]), 200);
    tree.write("hello.txt", "something else");
    assert_eq!(status(&[("if-none-match", &etag)]), 200, "a new version has a new tag");
}

#[test]
fn compressed_neighbours_for_who_takes_them() {
    let tree = Tree::new();
    tree.write("page.html", "plain page");
    tree.write("page.html.gz", "as gzip");
    tree.write("page.html.br", "as br");
    let world = tree.world();
    let with = |accepted: &str| get(&world, "/page.html", &[("accept-encoding", accepted)]);
    for (accepted, text, coding) in [
        ("gzip, br", "as br", Some("br")),
        ("gzip", "as gzip", Some("gzip")),
        ("gzip;q=1, br;q=0.1", "as gzip", Some("gzip")),
        ("identity", "plain page", None),
    ] {
        let answer = with(accepted);
        assert_eq!((answer.text(), answer.field("content-encoding")), (text, coding), "{accepted}");
        assert_eq!(answer.field("vary"), Some("accept-encoding"));
        assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    }
    let tags: Vec<_> =
        ["br", "gzip", "identity"].map(|coding| with(coding).field("etag").map(str::to_owned)).into();
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "each has a tag of its own");
    assert_eq!(get(&world, "/hello.txt", &[("accept-encoding", "br")]).field("vary"), None);
}

#[test]
fn a_large_file_and_many_at_once() {
    let tree = Tree::new();
    tree.write("large", pattern(20_000_000));
    let world = tree.world();
    assert!(get(&world, "/large", &[]).body == pattern(20_000_000));
    let mut clients: Vec<Client> = (0..50).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
    }
    for client in &mut clients {
        (0..20).for_each(|_| assert_eq!(client.answer().text(), "hello, files\n"));
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_cuts_its_answer() {
    let tree = Tree::new();
    tree.write("shrinking", pattern(30_000_000));
    let world = tree.world();
    let mut client = world.connect();
    client.send("GET /shrinking HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    client.exactly(1000);
    let file = fs::File::options().write(true).open(tree.root().join("shrinking")).unwrap();
    file.set_len(10).unwrap();
    let mut rest = Vec::new();
    let result = client.stream.read_to_end(&mut rest);
    assert!(result.is_err(), "after {} bytes the end looks orderly", rest.len());
}

#[test]
fn a_directory_that_is_not_there() {
    assert_eq!(Files::open(Path::new("/nowhere/at/all")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
