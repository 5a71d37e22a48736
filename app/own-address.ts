import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

/**
 * Whether an address leads to this machine and to nothing else: loopback, or an address that one of its network interfaces
 * has. A name is resolved by others, so `localhost` is the only one.
 */
export function isOwnAddress(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, password } = new URL(url)
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') return false
  const host = hostname.replace(/^\[|\]$/g, '')
  if (host === 'localhost') return true
  if (!ipaddr.isValid(host)) return false
  const address = ipaddr.process(host)
  if (address.range() === 'loopback') return true
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses)
  return own.some((each) => sameAddress(each.address, address))
}

const sameAddress = (text: string, address: ipaddr.IPv4 | ipaddr.IPv6): boolean => {
  const plain = text.split('%')[0] ?? ''
  return ipaddr.isValid(plain) && ipaddr.process(plain).toNormalizedString() === address.toNormalizedString()
}
