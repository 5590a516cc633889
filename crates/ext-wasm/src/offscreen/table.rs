//! A map for few keys, most of which come in rising order: a sorted vector. `BTreeMap` would add some 8 KB of wasm for each
//! pair of types.

/// Values by key.
#[derive(Debug)]
pub(crate) struct Table<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Table<K, V> {
    /// Puts a value in, in place of the one with the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (key, value)),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let index = self.find(key).ok()?;
        Some(&self.0[index].1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        Some(&mut self.0[index].1)
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    /// All values, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| found.cmp(key))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_until_it_is_taken_out() {
        let mut table = Table::default();
        for key in [3, 1, 2, 5, 4] {
            table.insert(key, key * 10);
        }
        table.insert(2, 22);
        assert_eq!(
            table.values().copied().collect::<Vec<_>>(),
            [10, 22, 30, 40, 50]
        );
        assert_eq!(table.remove(&3), Some(30));
        assert_eq!(table.remove(&3), None);
        assert_eq!(table.get(&3), None);
        assert_eq!(table.get_mut(&4), Some(&mut 40));
        for key in [1, 2, 4, 5] {
            assert!(table.remove(&key).is_some());
        }
        assert!(table.is_empty());
    }
}
