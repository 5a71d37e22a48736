import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEgress, type EgressOptions } from '../../../alerts/egress.ts'
import { startReceiver, type TestReceiver } from '../../helpers/receivers.ts'

let receiver: TestReceiver
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(() => receiver.close())

const post = (options: Partial<EgressOptions> = {}, signal = new AbortController().signal) =>
  createEgress({ url: receiver.url, allowPrivate: true, timeoutMs: 1000, ...options }).post({
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal,
  })
const named = () => receiver.url.replace('127.0.0.1', 'receiver.test')
const at =
  (...addresses: string[]) =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))

describe('createEgress', () => {
  it('sends to the address that was checked, under the name that was asked for', async () => {
    const result = await post({ url: named(), resolve: at('127.0.0.1') })
    expect(result).toMatchObject({ answered: true, status: 204 })
    expect(receiver.requests[0]?.headers.host).toMatch(/^receiver\.test:/)
  })

  it.each([
    ['a name of a private address', ['127.0.0.1']],
    ['a name with one address of each kind', ['93.184.216.34', '10.0.0.1']],
    ['a name of a mapped address', ['::ffff:127.0.0.1']],
    ['a name of the metadata service', ['169.254.169.254']],
  ])('refuses %s', async (_what, addresses) => {
    const url = named().replace('http:', 'https:')
    const result = await post({ url, allowPrivate: false, resolve: at(...addresses) })
    expect(result).toMatchObject({ answered: false, refused: true, sent: false })
    expect(receiver.requests).toHaveLength(0)
  })

  it('tries the next address where none listens at the first, and sends once', async () => {
    const result = await post({ url: named(), resolve: at('::1', '127.0.0.2', '127.0.0.1') })
    expect(result).toMatchObject({ answered: true, status: 204 })
    expect(receiver.requests).toHaveLength(1)
  })

  it('says so where none listens at any, and tries no address after one that was refused', async () => {
    expect(await post({ url: named(), resolve: at('::1', '127.0.0.2') })).toMatchObject({
      answered: false,
      sent: false,
      refused: false,
    })
    expect(await post({ url: named(), resolve: at('127.0.0.1', '169.254.169.254') })).toMatchObject({
      refused: true,
    })
    expect(receiver.requests).toHaveLength(0)
  })

  it('asks for the name once an exchange, so that a second answer cannot lead elsewhere', async () => {
    let asked = 0
    const resolve = async () => {
      asked += 1
      return [{ address: asked === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }]
    }
    const egress = createEgress({ url: named(), allowPrivate: true, timeoutMs: 1000, resolve })
    const request = { headers: {}, body: '{}', signal: new AbortController().signal }
    expect(await egress.post(request)).toMatchObject({ answered: true })
    expect(asked).toBe(1)
    expect(await egress.post(request)).toMatchObject({ answered: false, refused: true })
  })

  it('does not follow a redirect', async () => {
    receiver.behave({ status: 307, headers: { location: '/elsewhere' } })
    expect(await post()).toMatchObject({ answered: true, status: 307 })
    expect(receiver.requests).toHaveLength(1)
  })

  it('says whether the receiver can have got it', async () => {
    receiver.behave('reset')
    expect(await post()).toMatchObject({
      answered: false,
      sent: true,
      error: expect.stringContaining('ECONNRESET'),
    })
    receiver.behave('hang')
    expect(await post({ timeoutMs: 80 })).toMatchObject({
      answered: false,
      sent: true,
      error: 'No answer within 80 ms.',
    })
    const url = receiver.url
    await receiver.close()
    expect(await post({ url })).toMatchObject({
      answered: false,
      sent: false,
      error: expect.stringContaining('ECONNREFUSED'),
    })
    expect(
      await post({
        url: named(),
        resolve: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })),
      }),
    ).toMatchObject({
      answered: false,
      sent: false,
      error: expect.stringContaining('ENOTFOUND'),
    })
    expect(
      await post({ url: named(), timeoutMs: 50, resolve: () => new Promise(() => undefined) }),
    ).toMatchObject({
      answered: false,
      sent: false,
    })
    receiver = await startReceiver()
  })

  it('ends with its caller', async () => {
    receiver.behave('hang')
    const stop = new AbortController()
    const result = post({ timeoutMs: 60_000 }, stop.signal)
    await expect.poll(() => receiver.requests.length).toBe(1)
    stop.abort()
    expect(await result).toMatchObject({ answered: false, error: 'Stopped before an answer came.' })
  })

  it('does not repeat the address in errors', async () => {
    expect(() => createEgress({ url: 'https://u:hunter2@127.0.0.1/?token=abc' })).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.not.stringMatching(/hunter2|abc/) }),
    )
  })
})
