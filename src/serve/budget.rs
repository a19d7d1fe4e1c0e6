//! How much is moved in one turn.

/// Bytes that all connections together write or read in a turn. They are sent at its end, and are still in the
/// processor's nearer cache then: eight connections with a quarter of a megabyte each were slower by a third than
/// eight that share one.
const TURN: usize = 512 * 1024;
/// What each may move at least: a super-packet.
const LEAST: usize = 64 * 1024;

/// Bytes that each of `ready` connections moves before the others have their turn.
pub(super) fn budget_of_each(ready: usize) -> usize {
    (TURN / ready.max(1)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_shared_and_everybody_gets_on() {
        assert_eq!([0, 1, 2].map(budget_of_each), [TURN, TURN, TURN / 2]);
        assert_eq!(budget_of_each(1_000), LEAST);
    }
}
