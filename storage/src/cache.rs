//! A few things kept at hand, the least recently used one let go first.

use parking_lot::Mutex;
use std::sync::Arc;

/// At most `capacity` values by key; linear, as it is meant for a few dozen.
#[derive(Debug)]
pub struct Cache<K, V> {
    capacity: usize,
    /// Most recently used last.
    entries: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: PartialEq + Copy, V> Cache<K, V> {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(Vec::with_capacity(capacity)) }
    }

    /// The value of a key, made if it isn't there.
    ///
    /// # Errors
    /// What making it answers; nothing is kept then.
    pub fn get_or_try_insert<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let mut entries = self.entries.lock();
        let entry = match entries.iter().position(|(other, _)| *other == key) {
            Some(at) => entries.remove(at),
            None => {
                let entry = (key, Arc::new(make()?));
                if entries.len() == self.capacity {
                    entries.remove(0);
                }
                entry
            }
        };
        let value = Arc::clone(&entry.1);
        entries.push(entry);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_value_goes_first() {
        let cache = Cache::new(2);
        let get = |key: u32| {
            let mut made = false;
            let value = cache.get_or_try_insert(key, || {
                made = true;
                Ok::<_, ()>(key * 10)
            });
            assert_eq!(*value.unwrap(), key * 10);
            made
        };
        assert_eq!([1, 2, 1, 3, 1, 2].map(get), [true, true, false, true, false, true]);
    }
}
