//! Structs that begin with their size and may grow.
//!
//! A later version adds members only at the end of a struct. Each new member makes the struct
//! larger (none is put into the padding at the end) and means "as before" if it is zero. A smaller
//! size that was once released therefore belongs to a program that was compiled with an older
//! header: only that part of its struct is read or written. A larger size belongs to a newer
//! header, whose members this library would ignore; it is refused, and so is every size that no
//! header had.
//!
//! The caller's structs are copied byte by byte, so they need not be aligned.

use std::mem::MaybeUninit;

use super::missing;
use crate::outcome::Error;

/// A struct of the C ABI that begins with `struct_size`.
///
/// # Safety
/// The struct is `repr(C)`, its first member is the `u32` `struct_size`, and zero is a valid value
/// of every member.
pub(super) unsafe trait Growing {
    /// The sizes in all released headers, oldest first. The last one is the present size.
    const SIZES: &'static [usize];
}

/// The size of the struct `T` in the version in which the member at `offset`, with `size` bytes,
/// was the last.
pub(super) const fn up_to<T>(offset: usize, size: usize) -> usize {
    (offset + size).next_multiple_of(align_of::<T>())
}

/// The size of the caller's struct.
///
/// # Safety
/// `pointer` points to a struct of which at least `struct_size` is readable. It need not be
/// aligned.
unsafe fn accepted<T: Growing>(name: &str, pointer: *const T) -> Result<u32, Error> {
    const { assert!(matches!(T::SIZES, [.., last] if *last == size_of::<T>())) }
    // SAFETY: every version of the struct begins with its size.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() };
    let (bytes, ours) = (size as usize, size_of::<T>());
    if T::SIZES.contains(&bytes) {
        return Ok(size);
    }
    Err(Error::argument(match bytes < ours {
        true => format!(
            "{name}.struct_size is {size}, not {ours}: begin with the ESALES_..._INIT macro of the header"
        ),
        false => format!(
            "{name}.struct_size is {size}, but this library knows only {ours} bytes of it: the program was \
            compiled with \
             the header of a later version, or did not begin with its ESALES_..._INIT macro"
        ),
    }))
}

/// A copy of the caller's struct. Members that an older program does not have are zero.
///
/// # Safety
/// `pointer` is NULL or points to a struct with the size in its `struct_size`, which no thread
/// changes during the call.
pub(super) unsafe fn read<T: Growing>(name: &str, pointer: *const T) -> Result<T, Error> {
    if pointer.is_null() {
        return Err(missing(name));
    }
    // SAFETY: not NULL, and the caller's promise.
    let size = unsafe { accepted(name, pointer) }?;
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: the caller's struct has `size` bytes, and `copy` no fewer.
    unsafe {
        std::ptr::copy_nonoverlapping(
            pointer.cast::<u8>(),
            copy.as_mut_ptr().cast::<u8>(),
            size as usize,
        );
    }
    // SAFETY: zero and the caller's values are valid values of each member.
    Ok(unsafe { copy.assume_init() })
}

/// A struct of the caller, with its checked size, that will be written.
pub(super) struct CallerStruct<T> {
    pointer: *mut T,
    size: u32,
}

impl<T: Growing> CallerStruct<T> {
    /// # Safety
    /// `pointer` is NULL or points to a struct with the size in its `struct_size`, which stays
    /// writable as long as this value.
    pub(super) unsafe fn new(name: &str, pointer: *mut T) -> Result<CallerStruct<T>, Error> {
        if pointer.is_null() {
            return Err(missing(name));
        }
        // SAFETY: not NULL, and the caller's promise.
        let size = unsafe { accepted(name, pointer.cast_const()) }?;
        Ok(CallerStruct { pointer, size })
    }

    /// Writes the part of `value` that the caller's struct has. Its `struct_size` is not changed.
    pub(super) fn write(&self, value: T) {
        let first = size_of::<u32>();
        // SAFETY: the caller of `new` promised a writable struct of this size, which is not larger
        // than ours, and of which `struct_size` is the first member.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>().add(first),
                self.pointer.cast::<u8>().add(first),
                self.size as usize - first,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// The released struct; `New` is the struct of a later version.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Old {
        struct_size: u32,
        number: u64,
        letters: [u8; 3],
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct New {
        struct_size: u32,
        number: u64,
        letters: [u8; 3],
        added: u64,
        added_with_it: u64,
    }

    // SAFETY: the struct fulfils the trait's requirements.
    unsafe impl Growing for New {
        const SIZES: &'static [usize] =
            &[up_to::<New>(offset_of!(New, letters), 3), size_of::<New>()];
    }

    /// The older struct, followed by other memory of the caller.
    #[repr(C)]
    struct Memory {
        old: Old,
        behind: u64,
    }

    const OLD: u32 = size_of::<Old>() as u32;
    const NEW: u32 = size_of::<New>() as u32;
    const UNTOUCHED: u64 = 0x5a5a_5a5a_5a5a_5a5a;

    fn memory(struct_size: u32) -> Memory {
        Memory {
            old: Old {
                struct_size,
                number: 7,
                letters: *b"abc",
            },
            behind: UNTOUCHED,
        }
    }

    #[test]
    fn struct_size_includes_the_padding_at_the_end() {
        assert_eq!(New::SIZES, [size_of::<Old>(), size_of::<New>()]);
        assert_eq!(New::SIZES, [24, 40]);
    }

    #[test]
    fn older_struct_is_read_up_to_its_own_size() {
        let memory = memory(OLD);
        // SAFETY: the struct has the size in its `struct_size`.
        let read = unsafe { read("thing", (&raw const memory).cast::<New>()) }.unwrap();
        assert_eq!((read.number, &read.letters), (7, b"abc"));
        assert_eq!(read.added, 0, "what lies behind is not the member's");
    }

    #[test]
    fn older_struct_is_written_up_to_its_own_size() {
        let mut memory = memory(OLD);
        // SAFETY: as above.
        let target =
            unsafe { CallerStruct::new("thing", (&raw mut memory).cast::<New>()) }.unwrap();
        target.write(New {
            struct_size: NEW,
            number: 8,
            letters: *b"xyz",
            added: 9,
            added_with_it: 10,
        });
        assert_eq!((memory.old.number, &memory.old.letters), (8, b"xyz"));
        assert_eq!(memory.old.struct_size, OLD, "the size is the caller's");
        assert_eq!(memory.behind, UNTOUCHED);
    }

    #[test]
    fn struct_of_the_present_size_is_read_and_written_in_full() {
        let mut thing = New {
            struct_size: NEW,
            number: 1,
            letters: *b"abc",
            added: 2,
            added_with_it: 3,
        };
        // SAFETY: it is as large as it says.
        assert_eq!(unsafe { read("thing", &raw const thing) }.unwrap(), thing);
        // SAFETY: as above.
        let target = unsafe { CallerStruct::new("thing", &raw mut thing) }.unwrap();
        target.write(New { added: 3, ..thing });
        assert_eq!((thing.added, thing.struct_size), (3, NEW));
    }

    #[test]
    fn struct_is_read_and_written_when_it_is_not_aligned() {
        let mut bytes = [0x5a_u8; size_of::<New>() + 1];
        let pointer = bytes[1..].as_mut_ptr().cast::<New>();
        let thing = New {
            struct_size: NEW,
            number: 1,
            letters: *b"abc",
            added: 2,
            added_with_it: 3,
        };
        // SAFETY: the memory has as many bytes as the struct's `struct_size`.
        unsafe {
            pointer.write_unaligned(thing);
            assert_eq!(read("thing", pointer).unwrap(), thing);
            let target = CallerStruct::new("thing", pointer).unwrap();
            target.write(New { added: 7, ..thing });
            assert_eq!(pointer.read_unaligned().added, 7);
        }
    }

    #[test]
    fn struct_size_is_refused_by_name_when_no_version_had_it() {
        // A size between two members that were added together, or within a member.
        let between = OLD + 1..NEW;
        for size in [0, 1, OLD - 1, NEW + 1, u32::MAX]
            .into_iter()
            .chain(between)
        {
            let mut memory = memory(size);
            let pointer = (&raw mut memory).cast::<New>();
            // SAFETY: only `struct_size` is read, and it is readable.
            let refused = unsafe {
                [
                    read("thing", pointer).err(),
                    CallerStruct::new("thing", pointer).err(),
                ]
            };
            for error in refused {
                let message = error.unwrap().detail().to_owned();
                assert!(
                    message.starts_with(&format!("thing.struct_size is {size}, ")),
                    "{message}"
                );
                assert_eq!(message.contains("later version"), size > NEW, "{message}");
            }
        }
        // SAFETY: NULL is refused.
        let refused = unsafe { read("thing", std::ptr::null::<New>()) }
            .err()
            .unwrap();
        assert_eq!(refused.detail(), "thing is NULL");
    }
}
