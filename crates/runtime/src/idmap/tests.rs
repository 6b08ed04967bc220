use spec::runtime::IdMapping;

use super::IdMaps;

fn range(container_id: u32, host_id: u32, size: u32) -> IdMapping {
    IdMapping {
        container_id,
        host_id,
        size,
    }
}

#[test]
fn maps_that_the_kernel_would_misread_are_refused() {
    let good = [range(0, 1000, 65536)];
    let new = |map: &[IdMapping]| IdMaps::new("x", map, &good);
    assert!(new(&good).unwrap().has_root());
    assert!(!new(&[range(1, 1000, 1)]).unwrap().has_root());
    for bad in [
        vec![],
        vec![range(0, 0, 0)],
        vec![range(u32::MAX, 0, 1)],
        vec![range(0, u32::MAX - 5, 6)],
        // CVE-2021-43784.
        (0..341).map(|i| range(i, i, 1)).collect(),
    ] {
        assert!(new(&bad).is_err(), "{}", bad.len());
    }
    assert!(IdMaps::new("x", &good, &[]).is_err());
}
