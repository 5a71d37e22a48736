import { networkInterfaces } from 'node:os'
import { expect, it } from 'vitest'
import { isOwnAddress } from '../../../app/own-address.ts'

const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses)

it.each([
  'http://127.0.0.1:8844',
  'https://127.8.9.10:1',
  'http://localhost:8844',
  'http://[::1]:8844',
  'http://[::ffff:127.0.0.1]:8844',
  ...own.flatMap(({ address, family }) => (family === 'IPv4' ? [`http://${address}:8844`] : [])),
])('%s is this machine', (url) => {
  expect(isOwnAddress(url)).toBe(true)
})

it.each([
  'http://203.0.113.7:8844',
  'http://0.0.0.0:8844',
  'http://127.0.0.1.example.com',
  'http://localhost.example.com',
  'http://127.0.0.1@203.0.113.7',
  'http://user:x@127.0.0.1',
  'http://169.254.169.254',
  'http://[::127.0.0.1]',
  'ftp://127.0.0.1',
  'file:///etc/passwd',
  '127.0.0.1',
  '',
])('%s is not, or nobody knows', (url) => {
  expect(isOwnAddress(url)).toBe(false)
})
