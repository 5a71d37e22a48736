/**
 * What a block must not be stored behind: the leases that its writer held when it judged, in the store’s own words. A
 * process that is suspended after its last look at its leases cannot look again before its block arrives; the store can.
 * Opaque outside `store/`.
 */
export interface Fence {
  /** A SELECT of one number: how many of the leases have another owner by now. */
  readonly sql: string
}
