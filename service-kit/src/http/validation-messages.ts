import { z } from 'zod';

/** The messages to clients and operators where a schema has none of its own. */
z.config({
  customError: (issue) => {
    switch (issue.code) {
      case 'invalid_type':
        return issue.input === undefined ? 'is required' : `must be of type ${issue.expected}`;
      case 'invalid_value':
        return `must be one of ${issue.values?.map(String).join(', ')}`;
      case 'unrecognized_keys':
        return 'is not a known field';
      default:
        return 'is not valid';
    }
  },
});
