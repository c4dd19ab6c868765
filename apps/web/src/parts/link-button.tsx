// A link that looks like a button: it goes somewhere, so it can be opened in another tab.
import { Button, type ButtonProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { ComponentProps, ReactNode } from 'react'

type Props = Omit<ButtonProps, 'children'> &
  Omit<ComponentProps<'a'>, 'color' | 'style' | 'children'> & { children?: ReactNode }
const ButtonAnchor = (props: Props) => <Button component="a" {...props} />

/** A typed link of the router in the looks of a button. */
export const LinkButton = createLink(ButtonAnchor)
