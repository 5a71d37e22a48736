/** What `event_ids` is ordered by, as an expression over `event_id`: 48 bits of a hash (0011_event_ids.sql). */
export const ID_HASH = 'bitShiftRight(sipHash64(event_id), 16)'
