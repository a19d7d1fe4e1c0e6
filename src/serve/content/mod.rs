//! Answers that are (parts of) something that has a length: ranges, one or several.

mod delivery;
mod multipart;
mod range;

pub(super) use delivery::{Delivery, Representation, Source};
