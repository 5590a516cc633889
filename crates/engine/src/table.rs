//! A map for few keys, most of which come in rising order: a sorted vector. `BTreeMap` adds some 8 KB of wasm for each
//! pair of types.

/// Values by key, in the order of their keys.
#[derive(Debug)]
pub struct Table<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Table<K, V> {
    /// Puts a value in; returns the one that had the same key.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(index) => Some(core::mem::replace(&mut self.0[index].1, value)),
            Err(index) => {
                self.0.insert(index, (key, value));
                None
            }
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let index = self.find(key).ok()?;
        Some(&self.0[index].1)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        Some(&mut self.0[index].1)
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    /// Takes out all from a key on.
    pub fn split_off(&mut self, key: &K) -> Self {
        let index = self.find(key).unwrap_or_else(|index| index);
        Self(self.0.split_off(index))
    }

    /// Keeps what the function says.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// All values.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
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

impl<K, V> IntoIterator for Table<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
        assert_eq!(table.insert(2, 22), Some(20));
        assert_eq!(
            table.values().copied().collect::<Vec<_>>(),
            [10, 22, 30, 40, 50]
        );
        assert_eq!(table.remove(&3), Some(30));
        assert_eq!(table.remove(&3), None);
        assert_eq!(table.get(&3), None);
        assert_eq!(table.get_mut(&4), Some(&mut 40));
        let late = table.split_off(&3);
        assert_eq!(late.into_iter().collect::<Vec<_>>(), [(4, 40), (5, 50)]);
        table.retain(|key, _| *key == 1);
        assert_eq!(table.keys().copied().collect::<Vec<_>>(), [1]);
        assert!(!table.is_empty() && table.contains_key(&1) && table.len() == 1);
    }
}
