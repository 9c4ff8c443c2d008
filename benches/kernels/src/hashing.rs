//! BLAKE3 of what the write path hashes.

use crate::{Kernel, PAYLOAD, Work, write};
use arterial_protocol::{
    DeviceId, Record, Salt, Tag, Write,
    lanes::{self, Mode},
    limits::RECORD_HEAD_BYTES,
};
use std::hint::black_box;

const DEVICE: DeviceId = DeviceId([0x5a; 16]);
const MESSAGES: usize = 1024;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "lanes::hash_many/bytes=64", work: Work::Elements(1024), setup: || hash_many(64) },
    Kernel { name: "lanes::hash_many/bytes=128", work: Work::Elements(1024), setup: || hash_many(128) },
    Kernel { name: "lanes::hash_many/bytes=1024", work: Work::Elements(1024), setup: || hash_many(1024) },
    Kernel { name: "blake3::hash/bytes=64", work: Work::Elements(1024), setup: || one_by_one(64) },
    Kernel { name: "blake3::hash/bytes=128", work: Work::Elements(1024), setup: || one_by_one(128) },
    Kernel { name: "blake3::hash/bytes=1024", work: Work::Elements(1024), setup: || one_by_one(1024) },
    Kernel { name: "salt::derive/salts=1024", work: Work::Elements(1024), setup: salts },
    Kernel { name: "tag::mac/writes=1024", work: Work::Elements(1024), setup: macs },
    Kernel { name: "record::digest/bytes=128", work: Work::Bytes(128), setup: || digest(128) },
    Kernel { name: "record::digest/bytes=1024", work: Work::Bytes(1024), setup: || digest(1024) },
];

/// The write path's hashing: the messages of one group, many of one length side by side.
fn hash_many(bytes: usize) -> Box<dyn FnMut()> {
    let data = vec![0xab; MESSAGES * bytes];
    let mut out = vec![[0; 32]; MESSAGES];
    Box::new(move || {
        let mut messages: [&[u8]; MESSAGES] = [&[]; MESSAGES];
        messages.iter_mut().zip(data.chunks(bytes)).for_each(|(message, chunk)| *message = chunk);
        lanes::hash_many(Mode::Mac, black_box(&messages), black_box(&mut out));
    })
}

/// The same one after the other, as the `blake3` crate does it.
fn one_by_one(bytes: usize) -> Box<dyn FnMut()> {
    let data = vec![0xab; MESSAGES * bytes];
    let mut out = vec![[0; 32]; MESSAGES];
    Box::new(move || {
        for (message, out) in black_box(&data).chunks(bytes).zip(black_box(&mut out)) {
            *out = *blake3::hash(message).as_bytes();
        }
    })
}

fn salts() -> Box<dyn FnMut()> {
    let messages: Vec<[u8; 64]> =
        (0..MESSAGES as u64).map(|seq| Salt::message(&[9; 32], DEVICE, seq)).collect();
    let mut out = vec![[0; 32]; MESSAGES];
    Box::new(move || lanes::hash_blocks(Mode::Hash, black_box(&messages), black_box(&mut out)))
}

/// What a device does for one write, and the write path for a group in lanes.
fn macs() -> Box<dyn FnMut()> {
    let writes: Vec<Write<'_>> = (0..MESSAGES as u64).map(|seq| write(DEVICE, seq)).collect();
    Box::new(move || {
        for write in black_box(&writes) {
            black_box(Tag::mac(&[8; 32], write));
        }
    })
}

fn digest(bytes: usize) -> Box<dyn FnMut()> {
    let payload = vec![PAYLOAD[0]; bytes - RECORD_HEAD_BYTES];
    let record =
        Record::new(Salt::derive(&[9; 32], DEVICE, 0), &Write { payload: &payload, ..write(DEVICE, 0) });
    let record = record.unwrap();
    Box::new(move || {
        black_box(black_box(&record).digest());
    })
}
