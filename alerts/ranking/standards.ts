const HOUR_MS = 3_600_000

/** Days before an alert that its evidence is calibrated with. */
export const CALIBRATION_DAYS = 28

/** Days at the start of a tenant that calibrate nothing: everything is new then. */
export const FIRST_DAYS = 7

/** A finding joins the alert of its party when it begins at most so long after the last one ended. */
export const GAP_MS = 4 * HOUR_MS

/** An alert lasts at most so long; what comes later is another one. */
export const LONGEST_MS = 24 * HOUR_MS

/** What counts together: the evidence of a stretch of this length, the one with most. */
export const STRETCH_MS = 2 * HOUR_MS

/** No rule adds more than this to an alert by itself. */
export const MOST_OF_A_RULE = 4

/** An actor that gets a value so soon after others adds to their change, more than to its own suspicion. */
export const SPREAD_MS = 72 * HOUR_MS
