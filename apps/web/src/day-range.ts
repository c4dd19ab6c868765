// Days from one to another, as they stand in the address of a list.

/** Days such as 2026-11-30; undefined: open at that end. */
export type DayRange = { from: string | undefined; until: string | undefined }

/** The instants of whole days in the zone of this browser, both days included. */
export const instantsOf = ({ from, until }: DayRange) => ({
  from: from === undefined ? undefined : new Date(`${from}T00:00:00`),
  until: until === undefined ? undefined : new Date(`${until}T23:59:59.999`),
})
