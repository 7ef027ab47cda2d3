// Times as they are written in schedules.

/**
 * Return seconds to a thousandth, with no more digits than needed.
 * @param {number} seconds
 * @returns {string}
 */
export function asNumber(seconds) {
  return String(Number(seconds.toFixed(3)))
}

/**
 * Return the whole pictures until a second; null if they are none.
 * @param {number} seconds
 * @param {{reads: number}} how
 * @returns {number | null}
 */
export function inPictures(seconds, { reads }) {
  const pictures = Math.round(seconds * reads)
  return Math.abs(pictures - seconds * reads) < 1e-6 ? pictures : null
}

/**
 * Return a time for a place where a number counts pictures, unless units say seconds.
 * @param {number} seconds
 * @param {{units: string, reads: number}} how
 * @returns {string}
 */
export function counted(seconds, how) {
  if (how.units === "seconds") return asNumber(seconds)
  const pictures = inPictures(seconds, how)
  return pictures === null ? `${asNumber(seconds)}s` : String(pictures)
}
