//! A list whose elements stay the same elements while what they show changes, so that focus and pressed buttons survive
//! an update.

use web_sys::{Element, HtmlElement};

use super::dom::{by_id, insert, leave};

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
        // First, for whatever stands where it belongs is not moved then and keeps its focus.
        self.rows.retain(|(shown, row)| {
            let kept = models.iter().any(|model| R::same(shown, model));
            if !kept {
                leave(row.root(), &self.heading);
                row.root().remove();
            }
            kept
        });
        let mut old = core::mem::take(&mut self.rows);
        let mut place = Place::first(&self.root);
        for model in models {
            let found = old.iter().position(|(shown, _)| R::same(shown, &model));
            let row = match found {
                Some(index) => {
                    let (shown, row) = old.remove(index);
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
            place.put(row.root());
            self.rows.push((model, row));
        }
    }
}

/// Where in a list the next element belongs.
struct Place<'a> {
    list: &'a Element,
    next: Option<Element>,
}

impl<'a> Place<'a> {
    fn first(list: &'a Element) -> Self {
        Self {
            list,
            next: list.first_element_child(),
        }
    }

    /// Has this element here, and goes on behind it. One that is here already is not touched: moving it would take its
    /// focus.
    fn put(&mut self, element: &Element) {
        if self.next.as_ref() == Some(element) {
            self.next = element.next_element_sibling();
        } else {
            insert(self.list, element, self.next.as_ref());
        }
    }
}
