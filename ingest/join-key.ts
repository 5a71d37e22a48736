/**
 * The join key of a part: whose record it is, and what brings its records of one call together there. So no other source
 * can add to a call, whatever ids it sends. Neither half can be taken for the other: the first has no space.
 */
export const joinKeyOf = (source: string, key: string): string => `${encodeURIComponent(source)} ${key}`

/** What the source itself says (`trace:…`): a key of before had only that. */
export const ownKeyOf = (joinKey: string): string => joinKey.slice(joinKey.indexOf(' ') + 1)
