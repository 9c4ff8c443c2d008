//! What every storage does alike: files, memory, and the faulty one while it has no faults.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use arterial_storage::{Faulty, FileStorage, MemoryStorage, Storage, at_once};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Runs on every implementation, each in an empty directory of its own.
fn on_each(check: impl Fn(&dyn Storage, &Path)) {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let in_memory = PathBuf::from("/deployment");
    let memory = [MemoryStorage::default(), MemoryStorage::default()];
    for storage in &memory {
        storage.create_dir(&in_memory).unwrap();
    }
    check(&FileStorage, dirs[0].path());
    check(&memory[0], &in_memory);
    check(&Faulty::new(FileStorage), dirs[1].path());
    check(&Faulty::new(memory[1].clone()), &in_memory);
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_created_file_is_zeros_of_the_asked_length() {
    on_each(|storage, dir| {
        let path = dir.join("a/b/segment");
        storage.create_dir(path.parent().unwrap()).unwrap();
        storage.create_dir(path.parent().unwrap()).unwrap();
        let blob = storage.create(&path, 4096, &mut at_once).unwrap();
        assert_eq!(blob.bytes().unwrap(), 4096);
        blob.write_at(b"xyz", 10).unwrap();
        blob.sync().unwrap();
        let map = storage.map(&path).unwrap();
        assert_eq!((map.len(), &map[9..14]), (4096, &b"\0xyz\0"[..]));
        drop(map);
        assert_eq!(storage.list(path.parent().unwrap()).unwrap(), std::slice::from_ref(&path));
        assert_eq!(storage.list(dir).unwrap(), [dir.join("a")]);
        // Made again, it is empty again.
        let blob = storage.create(&path, 16, &mut at_once).unwrap();
        assert_eq!((blob.bytes().unwrap(), storage.read(&path).unwrap()), (16, vec![0; 16]));
    });
}

#[test]
fn what_is_written_is_read_before_and_after_a_sync() {
    on_each(|storage, dir| {
        let path = dir.join("file");
        let blob = storage.open(&path).unwrap();
        assert_eq!(blob.bytes().unwrap(), 0);
        for synced in [false, true] {
            blob.write_at(b"abcdef", 3).unwrap();
            blob.write_at(b"XY", 5).unwrap();
            if synced {
                blob.sync().unwrap();
            }
            let other = storage.open(&path).unwrap();
            let mut bytes = [9; 4];
            other.read_at(&mut bytes, 4).unwrap();
            assert_eq!((&bytes, other.bytes().unwrap()), (b"bXYe", 9));
            assert_eq!(storage.read(&path).unwrap(), b"\0\0\0abXYef");
            assert_eq!(&*storage.map(&path).unwrap(), b"\0\0\0abXYef");
            assert_eq!(kind(other.read_at(&mut bytes, 6)), Some(ErrorKind::UnexpectedEof));
        }
        blob.set_len(5).unwrap();
        blob.set_len(7).unwrap();
        assert_eq!((storage.read(&path).unwrap(), blob.bytes().unwrap()), (b"\0\0\0ab\0\0".to_vec(), 7));
        blob.sync().unwrap();
        assert_eq!(storage.read(&path).unwrap(), b"\0\0\0ab\0\0");
    });
}

#[test]
fn a_replaced_file_is_whole_and_leaves_nothing_behind() {
    on_each(|storage, dir| {
        let path = dir.join("file.bin");
        let blob = storage.open(&path).unwrap();
        blob.write_at(b"unsynced", 0).unwrap();
        storage.replace(&path, b"one").unwrap();
        storage.replace(&path, b"two").unwrap();
        assert_eq!(storage.read(&path).unwrap(), b"two");
        assert_eq!(storage.list(dir).unwrap(), [path]);
    });
}

#[test]
fn a_map_is_of_the_time_when_it_was_made() {
    on_each(|storage, dir| {
        let path = dir.join("batch");
        storage.replace(&path, b"one").unwrap();
        let map = storage.map(&path).unwrap();
        storage.replace(&path, b"three").unwrap();
        assert_eq!((&*map, &*storage.map(&path).unwrap()), (&b"one"[..], &b"three"[..]));
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    on_each(|storage, dir| {
        let (nowhere, inside) = (dir.join("nowhere"), dir.join("nowhere/file"));
        assert!(!storage.exists(&nowhere).unwrap() && storage.exists(dir).unwrap());
        assert_eq!(kind(storage.read(&nowhere)), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.map(&nowhere)), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.list(&nowhere)), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.open(&inside)), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.create(&inside, 1, &mut at_once)), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.replace(&inside, b"")), Some(ErrorKind::NotFound));
        assert_eq!(kind(storage.lock(&inside)), Some(ErrorKind::NotFound));
        storage.replace(&nowhere, b"").unwrap();
        assert!(storage.exists(&nowhere).unwrap());
        assert!(storage.create_dir(&inside).is_err());
    });
}

#[test]
fn a_file_larger_than_the_disk_is_refused_and_leaves_nothing_behind() {
    on_each(|storage, dir| {
        let path = dir.join("segment");
        storage.create(&path, 1 << 60, &mut at_once).unwrap_err();
        assert!(!storage.exists(&path).unwrap());
    });
}

#[test]
fn a_lock_is_held_by_one_at_a_time() {
    on_each(|storage, dir| {
        let path = dir.join("lock");
        let lock = storage.lock(&path).unwrap();
        assert_eq!(kind(storage.lock(&path)), Some(ErrorKind::WouldBlock));
        drop(storage.lock(&dir.join("other")).unwrap());
        drop(lock);
        drop(storage.lock(&path).unwrap());
        assert!(storage.exists(&path).unwrap());
    });
}

#[test]
fn a_renamed_file_has_its_new_name_only_and_takes_the_place_of_another() {
    on_each(|storage, dir| {
        let (from, to) = (dir.join("from"), dir.join("aside/to"));
        assert_eq!(kind(storage.rename(&from, &to)), Some(ErrorKind::NotFound));
        storage.open(&from).unwrap().write_at(b"moved", 0).unwrap();
        assert_eq!(kind(storage.rename(&from, &to)), Some(ErrorKind::NotFound));
        assert!(storage.exists(&from).unwrap());
        storage.create_dir(to.parent().unwrap()).unwrap();
        storage.replace(&to, b"in its place").unwrap();
        storage.rename(&from, &to).unwrap();
        assert_eq!((storage.exists(&from).unwrap(), storage.read(&to).unwrap()), (false, b"moved".to_vec()));
    });
}
