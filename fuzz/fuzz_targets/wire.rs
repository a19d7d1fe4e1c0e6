//! The parsers of IP, TCP and TCP's options: no panic, and what they accept is the same when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longwire::wire::{Checksum, IpHeader, TcpHeader, TcpOptions};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = IpHeader::parse(bytes) {
        let payload = bytes.get(header.payload..).expect("a payload inside of the packet");
        tcp(payload);
    }
    tcp(bytes);
    options(bytes);
    let mut whole = Checksum::default();
    whole.add(bytes);
    let half = (bytes.len() / 2) & !1;
    let mut parts = Checksum::default();
    parts.add(&bytes[..half]);
    parts.add(&bytes[half..]);
    assert_eq!(
        whole.finish(),
        parts.finish(),
        "a checksum does not depend on where it is cut at an even byte"
    );
});

fn tcp(bytes: &[u8]) {
    let Ok((header, payload)) = TcpHeader::parse(bytes) else { return };
    assert!(payload <= bytes.len());
    let mut written = [0; TcpHeader::MAX_LEN];
    let len = header.emit(0, &mut written);
    assert_eq!(len, header.wire_len());
    let (again, _) = TcpHeader::parse(&written[..len]).expect("what we write");
    // Our padding may leave no room for the last SACK block; all else comes back.
    let mut expected = header;
    expected.options.sack.truncate(again.options.sack.as_slice().len());
    assert_eq!(again, expected);
    let complete = again.options.sack == header.options.sack;
    assert!(complete || len + 8 > TcpHeader::MAX_LEN, "there was room for another block");
}

fn options(bytes: &[u8]) {
    let Ok(options) = TcpOptions::parse(bytes) else { return };
    assert!(options.wire_len() <= 40, "no more than a header has room for");
}
