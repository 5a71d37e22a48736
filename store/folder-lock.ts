import { readFileSync, statSync } from 'node:fs'

/**
 * The other process that holds a lock (flock) on the file, as the Linux kernel lists them (proc_locks(5)). Asking takes
 * no lock. `undefined` also where it cannot be known: another system, a process of another container.
 */
export function lockHolderOf(path: string): number | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    const file = `${hexadecimal(majorOf(dev))}:${hexadecimal(minorOf(dev))}:${ino}`
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, kind, , , pid, locked] = line.trim().split(/\s+/)
      if (kind === 'FLOCK' && locked === file && Number(pid) !== process.pid) return Number(pid)
    }
    return undefined
  } catch {
    return undefined
  }
}

// As gnu_dev_major and gnu_dev_minor take a device number apart.
const majorOf = (device: bigint): bigint => ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
const minorOf = (device: bigint): bigint => (device & 0xffn) | ((device >> 12n) & ~0xffn)
const hexadecimal = (value: bigint): string => value.toString(16).padStart(2, '0')
