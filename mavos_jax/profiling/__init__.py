"""What the network costs; ``.compiled`` says where the time of a GPU would go."""
