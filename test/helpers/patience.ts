/**
 * How long a test waits for something that has not happened yet, in milliseconds. No proof rests on it: it only ends
 * a test that would never end, so it is far beyond what the slowest machine needs. Whoever works on a failing test
 * and does not want to wait sets `GATEWATCH_TEST_PATIENCE_S`.
 */
export const PATIENCE_MS = 1000 * Number(process.env['GATEWATCH_TEST_PATIENCE_S'] ?? 600)

/** For a whole test or hook, which may wait for several things one after the other. */
export const TEST_LIMIT_MS = 6 * PATIENCE_MS
