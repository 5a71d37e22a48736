import { connect } from 'node:net'

/** Kafka’s requests as the proxy sees them: key (2 bytes), version (2), number (4), client id, body. */
export const OFFSET_COMMIT = 8
export const JOIN_GROUP = 11
const LEAVE_GROUP = 13

export const isRequest = (request: Buffer, key: number): boolean =>
  request.length >= 8 && request.readInt16BE(0) === key

/** A commit that carries an intent in its metadata, which ends no block or ends one and begins the next. */
export const isIntent = (request: Buffer): boolean =>
  isRequest(request, OFFSET_COMMIT) && /E=\d+;M=/.test(request.toString('latin1'))

/** A commit that only ends a block. */
export const isPlainCommit = (request: Buffer): boolean =>
  isRequest(request, OFFSET_COMMIT) && !isIntent(request)

/**
 * Shortens the session that a member asks for, so that a member that stands still is missed in seconds. Changes
 * JoinGroup (versions 0 to 5): client id, group id, session timeout.
 */
export function shortenSession(request: Buffer, sessionMs: number): void {
  if (!isRequest(request, JOIN_GROUP) || request.readInt16BE(2) > 5) return
  const clientId = 8
  const groupId = clientId + 2 + Math.max(0, request.readInt16BE(clientId))
  const session = groupId + 2 + request.readInt16BE(groupId)
  request.writeInt32BE(sessionMs, session)
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/**
 * Takes a dead member out of its group, as an operator can, so that nobody waits for its session to end. Sent to
 * every broker: those that do not coordinate the group refuse it.
 */
export async function removeMember(
  brokers: readonly string[],
  group: string,
  memberId: string,
): Promise<void> {
  const head = Buffer.alloc(8)
  head.writeInt16BE(LEAVE_GROUP, 0)
  head.writeInt16BE(1, 2)
  const body = Buffer.concat([head, text('faults'), text(group), text(memberId)])
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  await Promise.all(
    brokers.map(
      (broker) =>
        new Promise<void>((resolve) => {
          const [host = '', port = ''] = broker.split(':')
          const socket = connect(Number(port), host, () => socket.write(Buffer.concat([length, body])))
          socket.once('data', () => socket.destroy()).once('error', () => socket.destroy())
          socket.setTimeout(2_000, () => socket.destroy())
          socket.once('close', () => resolve())
        }),
    ),
  )
}
