import { readFileSync } from 'node:fs'
import { environmentParent } from '../config/config.ts'

const LOOK_EVERY_MS = 500
const SHELLS = /^(?:sh|dash|ash|bash|zsh)$/

/**
 * Ends this process when the one that started it for somebody else is gone: `bin/gatewatch.cjs` on an older Node, or npm,
 * or the shell that npm puts between. A signal that only they get would otherwise leave it on its port and folder.
 * SIGHUP is what a process gets whose terminal is gone: it ends a command, and stops a server in order
 * (app/stop-request.ts).
 */
export function endWithParent(): void {
  const parent = environmentParent()
  if (parent === undefined) return
  const beyond = factsOf(parent)
  const grandparent = beyond !== undefined && SHELLS.test(beyond.name) ? beyond.parent : undefined
  const isOrphan = () =>
    process.ppid !== parent || (grandparent !== undefined && factsOf(parent)?.parent !== grandparent)
  // No message comes when a process is adopted; the number of its parent changes.
  const timer = setInterval(() => {
    if (!isOrphan()) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGHUP')
  }, LOOK_EVERY_MS)
  timer.unref()
}

/** Name and parent of a process; `undefined` where the system does not tell. */
function factsOf(pid: number): { readonly name: string; readonly parent: number } | undefined {
  try {
    // pid (name) state parent …; the name may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const end = stat.lastIndexOf(')')
    return { name: stat.slice(stat.indexOf('(') + 1, end), parent: Number(stat.slice(end + 2).split(' ')[1]) }
  } catch {
    return undefined
  }
}
