import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE_MS } from '../patience.ts'
import { freePorts } from '../ports.ts'
import { JVM, runJava } from './java.ts'

// Ends the broker when this process ends, in whatever way; says its process id first. Descriptor 3 because a job in the
// background has no standard input.
const GUARD =
  'exec 3<&0; "$@" </dev/null & p=$!; echo $p; { read -r _ <&3; kill -9 $p; } 2>/dev/null & wait $p; kill $! 2>/dev/null'

/**
 * Writes the classes that a broker loads, as the JVM has them in memory, into a file. Half of what a start of a broker
 * costs is to read and to verify them; with the file it maps them.
 * @param jars class path, without folders: an archive knows none
 */
export async function makeClassArchive(jars: string, archive: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-classes-'))
  const [port = 0, controllerPort = 0] = await freePorts(2)
  const properties = join(folder, 'server.properties')
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'inter.broker.listener.name=PLAINTEXT',
      `log.dirs=${join(folder, 'data')}`,
      '',
    ].join('\n'),
  )
  const cluster = '--cluster-id=Z2F0ZXdhdGNoLWNsYXNzZXM'
  await runJava(['-cp', jars, 'kafka.tools.StorageTool', 'format', cluster, '-c', properties])
  const dump = [`-XX:ArchiveClassesAtExit=${archive}`, '-cp', jars, 'kafka.Kafka', properties]
  const child = spawn('sh', ['-c', GUARD, 'sh', 'java', ...JVM, ...dump], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit')
  const [first] = (await once(child.stdout, 'data')) as [Buffer]
  child.stdout.resume()
  const deadline = performance.now() + PATIENCE_MS
  while (child.exitCode === null && performance.now() < deadline && !(await listens(port))) await sleep(50)
  if (child.exitCode === null) process.kill(Number(first.toString().split('\n')[0]), 'SIGTERM')
  await ended
  child.stdin.destroy()
  await rm(folder, { recursive: true, force: true })
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
