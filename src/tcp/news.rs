//! What the application has not been told yet.

use super::Events;

/// Events, in a byte: a quiet connection has it too, and may end without having anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News(u8);

impl News {
    pub(super) const CONNECTED: News = News(1);
    pub(super) const READABLE: News = News(2);
    pub(super) const WRITABLE: News = News(4);
    pub(super) const FAILED: News = News(8);
    pub(super) const CLOSED: News = News(16);

    pub(super) fn add(&mut self, news: News) {
        self.0 |= news.0;
    }

    /// All of it; nothing is left.
    pub(super) fn take(&mut self) -> Events {
        let News(bits) = std::mem::take(self);
        let has = |news: News| bits & news.0 != 0;
        Events {
            connected: has(Self::CONNECTED),
            readable: has(Self::READABLE),
            writable: has(Self::WRITABLE),
            failed: has(Self::FAILED),
            closed: has(Self::CLOSED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_told_once() {
        let mut news = News::default();
        [News::READABLE, News::FAILED, News::READABLE].into_iter().for_each(|what| news.add(what));
        assert_eq!(news.take(), Events { readable: true, failed: true, ..Events::default() });
        [News::CONNECTED, News::WRITABLE, News::CLOSED].into_iter().for_each(|what| news.add(what));
        let others = Events { connected: true, writable: true, closed: true, ..Events::default() };
        assert_eq!((news.take(), news.take()), (others, Events::default()));
    }
}
