import { describe, expect, it } from 'vitest'
import { addressRefusal, parseReceiverUrl } from '../../../alerts/address.ts'

/** Ways to write an address that is not on the internet. */
const EVASIONS = [
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.0.1/',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://017700000001/',
  'https://127.0.0.1./',
  'https://①②⑦.⓪.⓪.①/',
  'https://127。0。0。1/',
  'https://0/',
  'https://0.0.0.0/',
  'https://[::]/',
  'https://[::1]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::127.0.0.1]/',
  'https://10.0.0.1/',
  'https://172.16.5.4/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data',
  'https://168.63.129.16/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://[fd00:ec2::254]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[64:ff9b:1::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:7f00:1::]/',
  'https://[fec0::1]/',
  'https://224.0.0.1/',
  'https://[ff02::1]/',
  'https://255.255.255.255/',
  'https://240.0.0.1/',
  'https://198.18.0.1/',
  'https://192.0.2.1/',
  'https://203.0.113.7/',
  'https://[2001:db8::1]/',
  'https://hooks.example.com@127.0.0.1/',
  'https://user:secret@hooks.example.com/',
  'http://hooks.example.com/',
  'file:///etc/passwd',
  'gopher://hooks.example.com/',
  'hooks.example.com',
  '',
]

describe('parseReceiverUrl', () => {
  it.each(EVASIONS)('refuses %s', (url) => {
    expect(parseReceiverUrl(url, false)).toBeTypeOf('string')
  })

  it('accepts addresses on the internet', () => {
    for (const url of [
      'https://hooks.slack.com/services/T0/B0/x',
      'https://93.184.216.34/',
      'https://[2606:4700::1111]/',
    ])
      expect(parseReceiverUrl(url, false)).toBeInstanceOf(URL)
  })

  it('accepts private networks where they are allowed, but never cloud metadata', () => {
    for (const url of [
      'http://127.0.0.1:9000/',
      'http://10.1.2.3/',
      'https://[fd00::1]/',
      'http://receiver.internal/',
    ])
      expect(parseReceiverUrl(url, true)).toBeInstanceOf(URL)
    for (const url of [
      'http://169.254.169.254/',
      'http://100.100.100.200/latest/meta-data/',
      'http://[fd00:ec2::254]/',
      'http://0.0.0.0/',
      'http://[64:ff9b::a9fe:a9fe]/',
      'ftp://10.0.0.1/',
    ])
      expect(parseReceiverUrl(url, true)).toBeTypeOf('string')
  })
})

describe('addressRefusal', () => {
  it.each([
    ['64:ff9b::101:101', true],
    ['64:ff9b::a9fe:a9fe', false],
    ['64:ff9b::a00:1', false],
    ['64:ff9b::7f00:1', false],
    ['64:ff9b::6464:64c8', false],
    ['64:ff9b:1::101:101', false],
    ['2002:101:101::', false],
    ['2002:a00:1::', false],
  ])('judges %s of NAT64 and its like by what it carries: %s', (address, isAllowed) => {
    for (const allowPrivate of [false, true])
      expect(addressRefusal(address, allowPrivate) === undefined).toBe(isAllowed)
  })

  it('refuses what is no address', () => {
    expect(addressRefusal('localhost', true)).toBeDefined()
    expect(addressRefusal('fe80::1%eth0', true)).toBeDefined()
  })
})
