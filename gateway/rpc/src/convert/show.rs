//! From domain types to messages. [`show`] and its kin are the only ways there, and they
//! take [`Visible`] values alone: what nobody was permitted to see cannot be sent.

use sekisho_access::Visible;
use sekisho_domain::Page;

/// A domain type with a message of its own. Called through [`show`] only.
pub(crate) trait Shown {
    /// Its message.
    type Message;

    /// As sent.
    fn message(self) -> Self::Message;
}

/// One thing the caller may see.
pub(crate) fn show<T: Shown>(visible: Visible<T>) -> T::Message {
    visible.into_inner().message()
}

/// Several.
pub(crate) fn show_all<T: Shown>(visible: Visible<Vec<T>>) -> Vec<T::Message> {
    visible.into_inner().into_iter().map(Shown::message).collect()
}

/// A page of them, and the token of the next page, empty when there is none.
pub(crate) fn show_page<T: Shown>(visible: Visible<Page<T>>) -> (Vec<T::Message>, String) {
    let page = visible.into_inner();
    let items = page.items.into_iter().map(Shown::message).collect();
    (items, page.next.unwrap_or_default())
}
