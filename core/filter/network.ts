/** A range of addresses, both ends included: as text for the store, and as bytes that sort as the addresses do. */
export interface Network {
  readonly first: string
  readonly last: string
  readonly firstBytes: string
  readonly lastBytes: string
}

/** `10.0.0.0/8`, `2001:db8::/32` → the range of its addresses; `undefined` when it is no network. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(text)
  const address = match?.[1] ?? ''
  const bytes = addressBytes(address)
  if (match === null || bytes === undefined) return undefined
  const bits = Number(match[2]) + (address.includes(':') ? 0 : 96)
  if (bits > 128) return undefined
  const rest = (1n << BigInt(128 - bits)) - 1n
  const value = BigInt(`0x${bytes}`)
  const firstBytes = toHex(value & ~rest)
  const lastBytes = toHex(value | rest)
  return { first: withColons(firstBytes), last: withColons(lastBytes), firstBytes, lastBytes }
}

const toHex = (value: bigint): string => value.toString(16).padStart(32, '0')
const withColons = (bytes: string): string => bytes.replace(/(.{4})(?!$)/g, '$1:')

const GROUP = /^[0-9A-Fa-f]{1,4}$/
const OCTET = /^(?:0|[1-9]\d{0,2})$/

/**
 * An address as 32 hex digits, IPv4 mapped into `::ffff:0:0/96`; `undefined` for anything else. Own code, because
 * ClickHouse must read every text the same way: libraries take `::10.0.0.1` for a mapped address and `010.0.0.1`
 * for octal.
 */
export function addressBytes(text: string): string | undefined {
  if (!text.includes(':')) {
    const dotted = dottedHex(text)
    return dotted === undefined ? undefined : `${'0'.repeat(20)}ffff${dotted}`
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map((half, index) => groupsOf(half, index === halves.length - 1))
  const [head, tail] = [groups[0], groups.length === 2 ? groups[1] : []]
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  return [...head, ...Array<string>(missing).fill('0'), ...tail]
    .map((group) => group.padStart(4, '0'))
    .join('')
    .toLowerCase()
}

function groupsOf(half: string, isLast: boolean): string[] | undefined {
  if (half === '') return []
  const parts = half.split(':')
  const dotted = isLast ? dottedHex(parts.at(-1) ?? '') : undefined
  if (dotted !== undefined) parts.splice(-1, 1, dotted.slice(0, 4), dotted.slice(4))
  return parts.every((part) => GROUP.test(part)) ? parts : undefined
}

function dottedHex(text: string): string | undefined {
  const octets = text.split('.')
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet) && Number(octet) < 256))
    return undefined
  return octets.map((octet) => Number(octet).toString(16).padStart(2, '0')).join('')
}
