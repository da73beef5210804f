"""The programme's total: components, the cut, the gate after it, and how sure it is."""
