import ipaddr from 'ipaddr.js'

// Networks that a receiver with `allow_private` may be in. Not link-local: cloud metadata services live there.
const PRIVATE_RANGES: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'])

// All of IPv6 that was ever given out. What lies outside (`::127.0.0.1`, `64:ff9b:1::/48`) leads to other networks.
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3')

// The prefix that DNS64 puts before the IPv4 addresses of hosts that have no other.
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')

// Where clouds answer questions about themselves, with credentials: outside of link-local they look like any other address.
const METADATA: ReadonlySet<string> = new Set(
  ['100.100.100.200', '168.63.129.16', 'fd00:ec2::254', '192.0.0.192'].map((address) =>
    ipaddr.process(address).toNormalizedString(),
  ),
)

/**
 * Why nothing may be sent to this address, in words; undefined when it may. IPv6 forms of IPv4 addresses
 * (`::ffff:10.0.0.1`) count as what they carry. So do those of NAT64 under the well-known prefix, which may carry global
 * addresses only (RFC 6052, 3.1). Other translation and tunnel prefixes (local NAT64, 6to4, Teredo) are refused, because they
 * reach addresses that cannot be seen here.
 */
export function addressRefusal(address: string, allowPrivate: boolean): string | undefined {
  if (!ipaddr.isValid(address) || address.includes('%')) return 'is not an IP address'
  const parsed = ipaddr.process(address)
  if (METADATA.has(parsed.toNormalizedString())) return 'is the metadata service of a cloud'
  const range = parsed.range()
  if (parsed instanceof ipaddr.IPv6 && parsed.match(NAT64)) {
    const carried = new ipaddr.IPv4(parsed.toByteArray().slice(-4))
    const refusal = addressRefusal(carried.toString(), false)
    return refusal === undefined ? undefined : `carries an IPv4 address (NAT64) that ${refusal}`
  }
  if (range === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6))) return undefined
  if (PRIVATE_RANGES.has(range)) return allowPrivate ? undefined : `is in a private network (${range})`
  return `is not an address on the internet (${range})`
}

/**
 * Reads the address of a receiver. `https` only, or `http` where private networks are allowed; no credentials in it.
 * @returns the URL, or what is wrong with it in words that do not repeat it
 */
export function parseReceiverUrl(text: string, allowPrivate: boolean): URL | string {
  if (!URL.canParse(text)) return 'is not a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    return allowPrivate ? 'must begin with https:// or http://' : 'must begin with https://'
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password'
  const literal = literalOf(url)
  const refusal = literal === undefined ? undefined : addressRefusal(literal, allowPrivate)
  return refusal === undefined ? url : `${refusal}${allowPrivate ? '' : '; allow_private lifts this'}`
}

/** The host when it is an IP address (the URL parser has brought decimal, octal and hex forms to dotted ones). */
export function literalOf(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(host) ? host : undefined
}
