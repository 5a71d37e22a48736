import type { Fence } from '../core/fence.ts'

// With this the store says that a block came behind its fence.
const REFUSAL = 'gatewatch: behind the fence'

/** Whether the store refused a block for its fence. */
export const isBehindFence = (message: string): boolean => message.includes(REFUSAL)

/**
 * The rows of a table function, or a fault where they come behind the fence. Sorted, because releases
 * from 26.1 to 26.2 pass over the token of an INSERT whose SELECT is not (ClickHouse pull request 99206).
 */
export const fencedRows = (from: string, { sql }: Fence): string =>
  `SELECT * FROM ${from} WHERE throwIf((${sql}) > 0, '${REFUSAL}') = 0 ORDER BY ALL`
