//! A box that goes with an acknowledgment and comes again with the answer to what came with it.

/// A value in a box of its own. The box of one that goes is kept for the next until it is known that there will be none
/// soon: to allocate for each answer would cost as much as to take its acknowledgment in.
#[derive(Debug)]
pub(super) struct Kept<T> {
    value: Option<Box<T>>,
    /// As good as new.
    spare: Option<Box<T>>,
}

/// What can be made as good as new in its place.
pub(super) trait Renew: Default {
    fn renew(&mut self);
}

impl<T: Renew> Kept<T> {
    /// Neither a value nor a box.
    pub(super) const NONE: Kept<T> = Kept { value: None, spare: None };

    pub(super) fn is_some(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn is_none(&self) -> bool {
        self.value.is_none()
    }

    pub(super) fn as_ref(&self) -> Option<&T> {
        self.value.as_deref()
    }

    pub(super) fn as_mut(&mut self) -> Option<&mut T> {
        self.value.as_deref_mut()
    }

    pub(super) fn get_or_insert_default(&mut self) -> &mut T {
        let Kept { value, spare } = self;
        value.get_or_insert_with(|| spare.take().unwrap_or_default())
    }

    /// There is no value from here on.
    pub(super) fn put_aside(&mut self) {
        if let Some(mut value) = self.value.take() {
            value.renew();
            self.spare = Some(value);
        }
    }

    /// Gives the memory of a box back that nothing has come into.
    pub(super) fn release_spare(&mut self) {
        self.spare = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Renew for Vec<u8> {
        fn renew(&mut self) {
            self.clear();
        }
    }

    #[test]
    fn the_next_value_is_as_good_as_new_and_has_the_box_of_the_last_one() {
        let mut kept = Kept::<Vec<u8>>::NONE;
        kept.get_or_insert_default().extend(b"said");
        let place = std::ptr::from_ref(kept.as_ref().unwrap());
        assert_eq!(kept.get_or_insert_default(), b"said");
        kept.put_aside();
        assert!(kept.is_none() && kept.as_mut().is_none());
        assert_eq!(kept.get_or_insert_default(), b"");
        assert_eq!(std::ptr::from_ref(kept.as_ref().unwrap()), place);
        kept.put_aside();
        kept.release_spare();
        assert!(kept.spare.is_none());
    }
}
