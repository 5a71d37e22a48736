import ipaddr from 'ipaddr.js'
import { addressOf } from './formats/field-values.ts'

/**
 * A client’s address without its port, in one notation: what IPv6 carries of IPv4 (`::ffff:10.0.0.1`) is that, other IPv6 is in
 * its shortest form, without a zone. What is no address stays as it is.
 */
export function clientAddressOf(given: string): string {
  const address = addressOf(given) ?? given
  if (!address.includes(':')) return address
  const bare = address.split('%', 1)[0] ?? address
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : address
}
