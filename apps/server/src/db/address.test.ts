// Addresses of databases: what operators may write, and what is made of it.
import { expect, test } from 'vitest'
import { readDatabaseUrl } from './address.ts'

const hostsOf = (text: string) => readDatabaseUrl(text)?.hosts.map(({ host, port }) => `${host} ${port}`)

test('one host, with or without a port, by name or number', () => {
  expect(hostsOf('postgres://u:p@db.example.org/name')).toEqual(['db.example.org 5432'])
  expect(hostsOf('postgresql://u:p@127.0.0.1:6432/name?sslmode=require')).toEqual(['127.0.0.1 6432'])
  expect(hostsOf('postgres://u@[::1]:6432/name')).toEqual(['::1 6432'])
  expect(hostsOf('postgres://u:p@localhost/name?host=%2Frun%2Fpostgresql')).toEqual(['localhost 5432'])
})

test('several hosts keep their order, and user, password, name and settings', () => {
  const address = readDatabaseUrl('postgres://u:p%40ss@one:5433,two,[fd00::3]:5434/name?sslmode=require')
  expect(address?.hosts).toEqual([
    { host: 'one', port: 5433 },
    { host: 'two', port: 5432 },
    { host: 'fd00::3', port: 5434 },
  ])
  expect(address?.url.href).toBe('postgres://u:p%40ss@one:5433/name?sslmode=require')
})

test('what is no address is told', () => {
  for (const text of [
    'mysql://u@db/name',
    'postgres://u@db',
    'postgres://u@db/',
    'postgres:///name',
    'postgres://u@one,,two/name',
    'postgres://u@one:70000/name',
    'postgres://u@one,two:x/name',
    'anything',
  ])
    expect(readDatabaseUrl(text), text).toBeUndefined()
})
