//! Reading a row's columns in the order in which they are laid out.

/// What is left of a row. The layout is fixed by the order of the reads, so that it is written down once.
pub(crate) struct Columns<'a, T>(&'a [T]);

impl<'a, T: Copy> Columns<'a, T> {
    pub(crate) const fn new(row: &'a [T]) -> Self {
        Self(row)
    }

    /// The next `N` columns.
    pub(crate) fn array<const N: usize>(&mut self) -> &'a [T; N] {
        let (array, rest) = self.0.split_first_chunk().expect("a row is as wide as its table");
        self.0 = rest;
        array
    }

    /// The next column.
    pub(crate) fn one(&mut self) -> T {
        let [column] = *self.array();
        column
    }
}
