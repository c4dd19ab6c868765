// Who is signed in, and what they may press.
import type { Me } from '@restic-manager/contract/me'
import { useQuery } from '@tanstack/react-query'
import { trpc } from './trpc.ts'

const ranks = { viewer: 0, operator: 1, admin: 2 } as const

/** The signed-in operator; undefined for the moment before the answer. */
export const useMe = (): Me | undefined =>
  useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 300_000 })).data

/** Whether the signed-in operator has at least this role. The server decides; the page only hides what it would refuse. */
export function useMay(role: Me['role']): boolean {
  const me = useMe()
  return me !== undefined && ranks[me.role] >= ranks[role]
}

/** The same for what concerns every host: nobody who is limited to hosts with certain tags. */
export function useMayForAll(role: Me['role']): boolean {
  const me = useMe()
  return useMay(role) && me?.tags === null
}
