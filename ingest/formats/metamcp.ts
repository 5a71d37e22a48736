import type { Decoded, Format } from '../format.ts'
import { isObject, notACall } from './field-values.ts'

/** Lines of MetaMCP’s log of its servers. They report crashes and connections, no calls; recognised to say so. */
export const metamcp: Format = {
  name: 'metamcp',
  recognises: ({ json }) =>
    isObject(json) && 'serverName' in json && 'level' in json && 'message' in json && 'timestamp' in json,
  decode: (): readonly Decoded[] => [
    notACall('MetaMCP logs what happens to its servers, not the calls; send traces of the servers instead.'),
  ],
}
