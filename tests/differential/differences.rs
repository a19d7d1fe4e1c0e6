//! Where our stack does otherwise than Linux, and why.

/// Scenario and reason.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "another SYN to a half-open connection",
        "RFC 5961 4.2 and RFC 9293 3.10.7.4: a challenge, as in every synchronised state. Linux resets, and forgets.",
    ),
    (
        "SYN and FIN together",
        "RFC 9293 forbids it nowhere: the SYN is answered, the FIN left to be sent again. Linux drops the segment, as one \
         that only scanners send.",
    ),
    (
        "a simultaneous open",
        "Our SYN-ACK offers what the peer's SYN has offered too (RFC 7323 2.2 and 3.2, RFC 2018 2). Linux repeats what it \
         asked for in its own SYN.",
    ),
    ("a wrong acknowledgment in SYN-SENT", SYN_AGAIN),
    ("a lone acknowledgment in SYN-SENT", SYN_AGAIN),
    ("resets in SYN-SENT", SYN_AGAIN),
    (
        "a write after a reset was told",
        "A connection that has failed repeats its error. Linux tells it once, and then that there is no connection.",
    ),
    (
        "a reset at the end of what waits",
        "RFC 5961 3.2 names RCV.NXT alone; elsewhere in the window a reset is challenged. Linux also takes the end of the \
         last SACK block for one, in case data was lost before a reset.",
    ),
    (
        "a FIN out of order",
        "Linux reports a FIN that waits as an octet. Ours waits unreported: RFC 2018 speaks of data, and the FIN is \
         repeated with what is missing before it.",
    ),
    ("an option of length 0", BAD_OPTION),
    ("an option of length 1", BAD_OPTION),
    ("an option beyond the header", BAD_OPTION),
    ("a bad option later on", BAD_OPTION),
    (
        "a reset in CLOSE-WAIT",
        "The reset reaches the reader too, as `BrokenPipe`. Linux keeps it for the writer.",
    ),
    (
        "data across a FIN",
        "What lies beyond the peer's FIN is cut off. Linux resets in CLOSE-WAIT when it is in one segment with what came \
         before, and drops it otherwise.",
    ),
    (
        "a reset in TIME-WAIT",
        "RFC 1337: a reset does not end TIME-WAIT. Linux does so with net.ipv4.tcp_rfc1337, which is off by default.",
    ),
    ("a write of several segments", NAGLE),
    ("a peer without an MSS", NAGLE),
    ("a peer with an odd MSS", NAGLE),
    ("a peer with an odd MSS and timestamps", NAGLE),
    ("a window of 1,000", HALF_WINDOW),
    ("a scaled window", HALF_WINDOW),
    (
        "a FIN behind data that waits for a window",
        "PSH stands where the last of what was written leaves. Linux also sets it where the window ends.",
    ),
];

const SYN_AGAIN: &str = "A segment that is not for this SYN is answered or dropped (RFC 9293 3.10.7.3), and the SYN is \
     sent again when its time has come. Linux sends it again at once.";
const BAD_OPTION: &str = "A segment whose options cannot be read is dropped and counted. Linux takes the options before \
     the bad one.";
const NAGLE: &str = "RFC 9293 3.7.4: what does not fill a segment waits while anything is unacknowledged. Linux lets it \
     go unless what is unacknowledged has such a segment in it already (Minshall's variant).";
const HALF_WINDOW: &str = "RFC 9293 3.8.6.2.1 lets a segment be as long as the window. Linux sends no segment longer than \
     half of the largest window it has seen, however much fits.";

/// Why a scenario goes otherwise.
pub(crate) fn reason(scenario: &str) -> Option<&'static str> {
    DIFFERENCES.iter().find(|(name, _)| *name == scenario).map(|(_, reason)| *reason)
}
