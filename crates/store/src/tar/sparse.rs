//! Maps of sparse files.

use super::Segment;
use super::header::Refused;

/// Checks that the segments are in order, apart and inside the file, and that they are exactly the data that are there.
/// Segments without data only mark the end of the file; they are dropped.
pub(super) fn check(
    mut map: Vec<Segment>,
    size: u64,
    stored: u64,
) -> Result<Vec<Segment>, Refused> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for segment in &map {
        let after = segment
            .offset
            .checked_add(segment.length)
            .ok_or("the sparse map is malformed")?;
        if segment.offset < end || after > size {
            return Err("the sparse map is malformed");
        }
        end = after;
        sum += segment.length;
    }
    if sum != stored {
        return Err("the sparse map does not fit the data");
    }
    if i64::try_from(size).is_err() {
        return Err("the sparse file is too large");
    }
    map.retain(|segment| segment.length > 0);
    Ok(map)
}
