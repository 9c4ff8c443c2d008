//! The end of a file that is written as a whole: `CRC-32C u32 of everything before │ zero u32`, little-endian.

/// Puts the end to a file's content.
pub fn append_checksum(bytes: &mut Vec<u8>) {
    let crc = crc32c::crc32c(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
}

/// The content of a file without its end.
///
/// # Errors
/// What is wrong with it.
pub fn checked_content(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let Some((content, &[a, b, c, d, 0, 0, 0, 0])) = bytes.split_last_chunk::<8>() else {
        return Err("it has no checksum");
    };
    if crc32c::crc32c(content) != u32::from_le_bytes([a, b, c, d]) {
        return Err("its checksum does not match");
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_any_bit_changed_or_byte_missing_is_refused() {
        let mut file = b"nine byte".to_vec();
        append_checksum(&mut file);
        assert_eq!(checked_content(&file), Ok(b"nine byte".as_slice()));
        for bit in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(checked_content(&changed).is_err(), "bit {bit}");
        }
        for end in 0..file.len() {
            assert!(checked_content(&file[..end]).is_err(), "{end} bytes");
        }
    }
}
