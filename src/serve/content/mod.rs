//! Answers that are (parts of) something that has a length: ranges, one or several, and conditions.

mod conditional;
mod delivery;
mod multipart;
mod range;

pub(super) use conditional::Validators;
pub(super) use delivery::{Deliver, Delivery, Nothing, Representation, Source};
