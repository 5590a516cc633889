//! A list whose elements stay the same elements while what they show changes, so that focus and pressed buttons survive
//! an update.

use web_sys::{Element, HtmlElement};

use super::dom::{self, append, by_id};

/// One element of a list.
pub trait Row {
    /// What it shows.
    type Model: Clone + PartialEq;

    /// Whether two models are about the same thing.
    fn same(a: &Self::Model, b: &Self::Model) -> bool;

    /// A new element with everything that never changes.
    fn new(model: &Self::Model) -> Self;

    /// Its `li`.
    fn root(&self) -> &HtmlElement;

    /// Shows what may change.
    fn patch(&self, model: &Self::Model);
}

/// The `ul` with an id, and its elements.
#[derive(Debug)]
pub struct List<R: Row> {
    root: Element,
    section: Element,
    heading: HtmlElement,
    rows: Vec<(R::Model, R)>,
}

impl<R: Row> List<R> {
    /// The list with this id, in the section named after it, with a heading named after it: `x`, `x-section`,
    /// `x-heading`.
    pub fn new(id: &str) -> Self {
        Self {
            root: by_id(id),
            section: by_id(&[id, "-section"].concat()),
            heading: by_id(&[id, "-heading"].concat()),
            rows: Vec::new(),
        }
    }

    /// The section.
    pub fn section(&self) -> &Element {
        &self.section
    }

    /// Makes the list show these, in this order.
    pub fn show(&mut self, models: Vec<R::Model>) {
        let focused = dom::document().active_element();
        let mut old = core::mem::take(&mut self.rows);
        let mut next = self.root.first_element_child();
        for model in models {
            let found = old.iter().position(|(shown, _)| R::same(shown, &model));
            let row = match found.map(|index| old.remove(index)) {
                Some((shown, row)) => {
                    if shown != model {
                        row.patch(&model);
                    }
                    row
                }
                None => {
                    let row = R::new(&model);
                    row.patch(&model);
                    row
                }
            };
            let root: &Element = row.root();
            if next.as_ref() == Some(root) {
                next = root.next_element_sibling();
            } else if let Some(before) = &next {
                // Fails only if `before` were no child of ours.
                let _ = self.root.insert_before(root, Some(before));
            } else {
                append(&self.root, root);
            }
            self.rows.push((model, row));
        }
        for (_, row) in old {
            let held = focused
                .as_ref()
                .is_some_and(|focused| row.root().contains(Some(focused)));
            row.root().remove();
            if held {
                // Keyboard and screen reader stay where they were, not at the top of the page.
                let _ = self.heading.focus();
            }
        }
    }
}
