//! Random numbers. Numbers for ids are read from the system in batches. A forked child never uses
//! the rest of its parent's batch.

use std::cell::RefCell;

const SIZE: usize = 16;
const AT_A_TIME: usize = 16;

struct Stock {
    process: u32,
    bytes: [[u8; SIZE]; AT_A_TIME],
    left: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const {
        RefCell::new(Stock { process: 0, bytes: [[0; SIZE]; AT_A_TIME], left: 0 })
    };
}

/// 128 random bits, not for secrets: the next numbers are in this process's memory.
pub(crate) fn random() -> Result<[u8; SIZE], getrandom::Error> {
    STOCK.with_borrow_mut(|stock| {
        let process = super::this_process();
        if stock.left == 0 || stock.process != process {
            stock.left = 0;
            getrandom::fill(stock.bytes.as_flattened_mut())?;
            (stock.process, stock.left) = (process, AT_A_TIME);
        }
        stock.left -= 1;
        stock
            .bytes
            .get(stock.left)
            .copied()
            .ok_or(getrandom::Error::UNEXPECTED)
    })
}

/// 128 random bits that are read from the system alone, without a batch.
pub(crate) fn fresh_random() -> Result<[u8; SIZE], getrandom::Error> {
    let mut bytes = [0; SIZE];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A number from 0 (included) to 1 (excluded), for jitter. If the system provides no random bytes
/// it is close to 1, which means the longest pause.
pub(crate) fn dice() -> f64 {
    let drawn = getrandom::u32().unwrap_or(u32::MAX);
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::Read;
    use std::os::fd::FromRawFd;

    #[test]
    fn random_keys_are_distinct() {
        let drawn: HashSet<_> = (0..1000).map(|_| random().unwrap()).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn forked_child_draws_other_random_numbers_than_its_parent() {
        random().unwrap();
        let mut ends = [0; 2];
        // SAFETY: the array has room for two descriptors. The child only draws, writes and exits,
        // and the parent owns its end.
        let childs = unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            match libc::fork() {
                0 => {
                    let drawn = random().unwrap_or_default();
                    libc::write(ends[1], drawn.as_ptr().cast(), drawn.len());
                    libc::_exit(0)
                }
                child => {
                    libc::close(ends[1]);
                    let mut drawn = [0; SIZE];
                    std::fs::File::from_raw_fd(ends[0])
                        .read_exact(&mut drawn)
                        .unwrap();
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                    drawn
                }
            }
        };
        assert_ne!(childs, [0; SIZE]);
        assert_ne!(childs, random().unwrap());
    }
}
