const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const tiny = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })
const precise = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** A count for reading: whole and grouped below a million, compact above. */
export const formatCount = (value: number): string =>
  Math.abs(value) < 1_000_000 ? grouped.format(value) : short.format(value)

/** A measured number with at most two digits after the point; one that would vanish keeps two significant digits. */
export const formatNumber = (value: number): string =>
  Number.isInteger(value) ? formatCount(value) : (Math.abs(value) < 0.01 ? tiny : precise).format(value)

/** A share of a whole; tiny shares are not rounded to nothing. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–'
  const percent = (part / whole) * 100
  if (percent > 0 && percent < 0.1) return '<0.1 %'
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** Bytes in binary multiples. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? 'B'}`
}
