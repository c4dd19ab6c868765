// Mantine's theme: our colours, sizes and fonts, and the defaults of the components in use.
import {
  ActionIcon,
  Button,
  createTheme,
  type CSSVariablesResolver,
  Input,
  Modal,
  SegmentedControl,
  Tooltip,
} from '@mantine/core'

const sans = '"Inter Variable", system-ui, "Segoe UI", Roboto, sans-serif'
const mono = '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, Consolas, monospace'

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 6 },
  colors: {
    accent: [
      '#EEF3FF',
      '#DCE6FF',
      '#B9CCFF',
      '#92AFFF',
      '#7B9CFF',
      '#527DF0',
      '#3C68E0',
      '#2F57C7',
      '#2749A8',
      '#1F3A85',
    ],
    gray: [
      '#F6F7F9',
      '#F1F3F6',
      '#E3E6EB',
      '#C9CFD7',
      '#C9CFD7',
      '#8A94A1',
      '#5F6873',
      '#464E58',
      '#2A2F36',
      '#15181C',
    ],
    dark: [
      '#E4E7EB',
      '#C3C9D1',
      '#9CA5B0',
      '#7C8591',
      '#363C44',
      '#2A2F36',
      '#1E2227',
      '#181B1F',
      '#111316',
      '#0C0E10',
    ],
    red: [
      '#FCEDEC',
      '#F8D5D4',
      '#F0A9A7',
      '#FF8B85',
      '#E8716C',
      '#E25A54',
      '#D03B3B',
      '#B62324',
      '#961C1D',
      '#361B1C',
    ],
  },
  black: '#15181C',
  fontFamily: sans,
  fontFamilyMonospace: mono,
  fontSizes: { xs: '12px', sm: '13px', md: '13px', lg: '14px', xl: '16px' },
  lineHeights: { xs: '16px', sm: '20px', md: '20px', lg: '22px', xl: '24px' },
  spacing: { xs: '4px', sm: '8px', md: '16px', lg: '24px', xl: '32px' },
  radius: { xs: '4px', sm: '6px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'sm',
  headings: { fontFamily: sans, fontWeight: '600' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({
      defaultProps: { variant: 'default' },
      vars: (_theme, props) => ({
        root: {
          '--button-height': props.size === 'lg' ? '40px' : '32px',
          '--button-padding-x': '12px',
          '--button-fz': '13px',
        },
      }),
    }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 32 } }),
    Input: Input.extend({ vars: () => ({ wrapper: { '--input-fz': '13px', '--input-height': '34px' } }) }),
    Modal: Modal.extend({
      defaultProps: {
        size: 640,
        radius: 'xl',
        centered: false,
        yOffset: '8vh',
        transitionProps: { duration: 120 },
      },
    }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: 'xs', radius: 'sm' } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, withArrow: false, fz: 12 } }),
  },
})

/** Ties Mantine's own variables to the tokens of theme.css, so that one place holds the colours. */
export const tieVariables: CSSVariablesResolver = () => {
  const tied = {
    '--mantine-color-body': 'var(--surface)',
    '--mantine-color-text': 'var(--text)',
    '--mantine-color-dimmed': 'var(--text-3)',
    '--mantine-color-placeholder': 'var(--text-3)',
    '--mantine-color-anchor': 'var(--accent-text)',
    '--mantine-color-error': 'var(--bad-text)',
    '--mantine-color-default': 'var(--surface)',
    '--mantine-color-default-hover': 'var(--sunken)',
    '--mantine-color-default-color': 'var(--text)',
    '--mantine-color-default-border': 'var(--line-strong)',
  }
  return { variables: {}, light: tied, dark: tied }
}
