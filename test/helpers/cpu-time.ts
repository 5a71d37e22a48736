/**
 * Milliseconds of CPU that the work takes on this thread. Unlike the time of the clock it does not grow when others
 * use the machine, so it can be held against a bound or against another measurement.
 */
export function cpuMsOf(work: () => unknown): number {
  const before = process.threadCpuUsage()
  work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}
