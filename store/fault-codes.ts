/**
 * ClickHouse’s error codes that say more than “refused”, by their names in `src/Common/ErrorCodes.cpp` of its repository;
 * a test holds the names against those of the engine. Every other code blames the statement: it is `store_rejected`,
 * and what writes repeats it, visibly, because only a person can mend it and what it carries exists nowhere else.
 */

/** Conditions of the store that pass, or that somebody ends: the same again helps. */
export const PASSING: Readonly<Record<string, string>> = {
  // Slow, away, or cut off.
  '159': 'TIMEOUT_EXCEEDED',
  '160': 'TOO_SLOW',
  '198': 'DNS_ERROR',
  '203': 'NO_FREE_CONNECTION',
  '209': 'SOCKET_TIMEOUT',
  '95': 'CANNOT_READ_FROM_SOCKET',
  '96': 'CANNOT_WRITE_TO_SOCKET',
  '210': 'NETWORK_ERROR',
  '236': 'ABORTED',
  '279': 'ALL_CONNECTION_TRIES_FAILED',
  '394': 'QUERY_WAS_CANCELLED',
  '735': 'QUERY_WAS_CANCELLED_BY_CLIENT',
  // Too much at a time.
  '201': 'QUOTA_EXCEEDED',
  '202': 'TOO_MANY_SIMULTANEOUS_QUERIES',
  '252': 'TOO_MANY_PARTS',
  '290': 'LIMIT_EXCEEDED',
  '439': 'CANNOT_SCHEDULE_TASK',
  '745': 'SERVER_OVERLOADED',
  '749': 'TCP_CONNECTION_LIMIT_REACHED',
  '762': 'HTTP_CONNECTION_LIMIT_REACHED',
  // Memory.
  '173': 'CANNOT_ALLOCATE_MEMORY',
  '241': 'MEMORY_LIMIT_EXCEEDED',
  // The disk, or what stands for one.
  '74': 'CANNOT_READ_FROM_FILE_DESCRIPTOR',
  '75': 'CANNOT_WRITE_TO_FILE_DESCRIPTOR',
  '76': 'CANNOT_OPEN_FILE',
  '204': 'CANNOT_FSYNC',
  '243': 'NOT_ENOUGH_SPACE',
  '425': 'SYSTEM_ERROR',
  '499': 'S3_ERROR',
  // Replicas and Keeper.
  '225': 'NO_ZOOKEEPER',
  '242': 'TABLE_IS_READ_ONLY',
  '244': 'UNEXPECTED_ZOOKEEPER_ERROR',
  '254': 'NO_ACTIVE_REPLICAS',
  '285': 'TOO_FEW_LIVE_REPLICAS',
  '286': 'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
  '289': 'REPLICA_IS_NOT_IN_QUORUM',
  '319': 'UNKNOWN_STATUS_OF_INSERT',
  '369': 'ALL_REPLICAS_ARE_STALE',
  '384': 'PART_IS_TEMPORARILY_LOCKED',
  '415': 'ALL_REPLICAS_LOST',
  '473': 'DEADLOCK_AVOIDED',
  '999': 'KEEPER_EXCEPTION',
}

/**
 * Faults of rows: they cannot be read, or do not fit their column. The store says so before it writes any of a block, so
 * the block can be cut, and all of it but these rows be stored.
 */
export const ROW_FAULTS: Readonly<Record<string, string>> = {
  '6': 'CANNOT_PARSE_TEXT',
  '25': 'CANNOT_PARSE_ESCAPE_SEQUENCE',
  '26': 'CANNOT_PARSE_QUOTED_STRING',
  '27': 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
  '32': 'ATTEMPT_TO_READ_AFTER_EOF',
  '33': 'CANNOT_READ_ALL_DATA',
  '38': 'CANNOT_PARSE_DATE',
  '41': 'CANNOT_PARSE_DATETIME',
  '53': 'TYPE_MISMATCH',
  '69': 'ARGUMENT_OUT_OF_BOUND',
  '70': 'CANNOT_CONVERT_TYPE',
  '72': 'CANNOT_PARSE_NUMBER',
  '117': 'INCORRECT_DATA',
  '128': 'TOO_LARGE_ARRAY_SIZE',
  '130': 'CANNOT_READ_ARRAY_FROM_TEXT',
  '131': 'TOO_LARGE_STRING_SIZE',
  '190': 'SIZES_OF_ARRAYS_DONT_MATCH',
  '321': 'VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE',
  '349': 'CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN',
  '376': 'CANNOT_PARSE_UUID',
  '407': 'DECIMAL_OVERFLOW',
  '441': 'CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING',
  '467': 'CANNOT_PARSE_BOOL',
  '469': 'VIOLATED_CONSTRAINT',
  '675': 'CANNOT_PARSE_IPV4',
  '676': 'CANNOT_PARSE_IPV6',
  '691': 'UNKNOWN_ELEMENT_OF_ENUM',
}
